import type {public_en} from './public.en';
import type {Dictionary} from './text';

export const public_fr: Dictionary<keyof typeof public_en> = {
  'public.lead': 'En direct du jeu',
  'public.players_now': 'En jeu maintenant',
  'public.last_24': 'Les dernières 24 heures',
  'public.history_empty': 'Pas encore d’historique. Un point s’ajoute toutes les quelques minutes.',
  'public.board_global': 'Meilleurs joueurs',
  'public.board_active': 'Les plus actifs du jour',
  'public.board_empty': 'Personne n’a encore marqué. Soyez le premier.',
  'public.levels': 'Niveaux populaires',
  'public.levels_empty': 'Aucun niveau n’a encore été terminé.',
  'public.completions': {one: '{n} fois terminé', many: '{n} fois terminé', other: '{n} fois terminé'},
  'public.achievements': 'Succès récents',
  'public.achievements_empty': 'Aucun succès n’a encore été débloqué.',
  'public.log_in': 'Opérateurs',
  'public.api': 'API',
  'public.map': 'Où ils jouent',
  'public.map_label': {one: 'Carte : {n} joueur en ce moment', many: 'Carte : {n} joueurs en ce moment', other: 'Carte : {n} joueurs en ce moment'},
  'public.map_empty': 'Personne n’est sur la carte en ce moment.',
};
