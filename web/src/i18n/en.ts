// English decides which keys there are. A part of the console has a file of its own in each language.
import {console_en} from './console.en';
import {public_en} from './public.en';
import {tasks_en} from './tasks.en';
import {world_en} from './world.en';

export const en = {
  ...console_en,
  ...public_en,
  ...tasks_en,
  ...world_en,
};
