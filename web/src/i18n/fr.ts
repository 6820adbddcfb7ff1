import type {Key} from './index';
import type {Dictionary} from './text';
import {console_fr} from './console.fr';
import {tasks_fr} from './tasks.fr';

export const fr: Dictionary<Key> = {
  ...console_fr,
  ...tasks_fr,
};
