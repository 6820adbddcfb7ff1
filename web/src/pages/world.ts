// Pages that share much compress better in one file.
export {default as boards} from './boards';
export {default as chat} from './chat';
export {default as events} from './events';
export {default as levels} from './levels';
export {default as map} from './map';
export {default as players} from './players';
