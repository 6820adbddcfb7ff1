import type {Key} from './index';
import type {Dictionary} from './text';
import {console_ru} from './console.ru';
import {public_ru} from './public.ru';
import {tasks_ru} from './tasks.ru';
import {world_ru} from './world.ru';

export const ru: Dictionary<Key> = {
  ...console_ru,
  ...public_ru,
  ...tasks_ru,
  ...world_ru,
};
