import type {Key} from './index';
import type {Dictionary} from './text';
import {console_fr} from './console.fr';
import {public_fr} from './public.fr';
import {tasks_fr} from './tasks.fr';
import {world_fr} from './world.fr';

export const fr: Dictionary<Key> = {
  ...console_fr,
  ...public_fr,
  ...tasks_fr,
  ...world_fr,
};
