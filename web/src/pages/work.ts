// Pages that share much compress better in one file.
export {default as dead_letters} from './tasks_dead_letters';
export {default as queues} from './tasks_queues';
export {default as schedules} from './tasks_schedules';
export {default as tasks} from './tasks';
export {default as workers} from './tasks_workers';
