import type {public_en} from './public.en';
import type {Dictionary} from './text';

export const public_ru: Dictionary<keyof typeof public_en> = {
  'public.lead': 'Прямо из игры',
  'public.players_now': 'Сейчас играют',
  'public.last_24': 'Последние 24 часа',
  'public.history_empty': 'Истории пока нет. Новая точка появляется каждые несколько минут.',
  'public.board_global': 'Лучшие игроки',
  'public.board_active': 'Самые активные за сутки',
  'public.board_empty': 'Очков ещё ни у кого нет. Станьте первым.',
  'public.levels': 'Популярные уровни',
  'public.levels_empty': 'Ни один уровень ещё не пройден.',
  'public.completions': {one: '{n} прохождение', few: '{n} прохождения', many: '{n} прохождений', other: '{n} прохождения'},
  'public.achievements': 'Недавние достижения',
  'public.achievements_empty': 'Достижений пока нет.',
  'public.log_in': 'Операторам',
  'public.api': 'API',
  'public.map': 'Где играют',
  'public.map_label': {one: 'Карта: {n} игрок сейчас', few: 'Карта: {n} игрока сейчас', many: 'Карта: {n} игроков сейчас', other: 'Карта: {n} игрока сейчас'},
  'public.map_empty': 'Сейчас на карте никого нет.',
};
