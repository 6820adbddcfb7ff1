// Pages that share much compress better in one file.
export {default as access} from './access';
export {default as now} from './now';
export {default as status} from './status';
export {default as system} from './system';
