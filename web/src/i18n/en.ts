// English decides which keys there are. A part of the console has a file of its own in each language.
import {console_en} from './console.en';
import {tasks_en} from './tasks.en';

export const en = {
  ...console_en,
  ...tasks_en,
};
