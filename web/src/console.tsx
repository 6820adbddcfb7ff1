// The operators' page.
import './style/tasks.css';
import './style/world.css';
import {effect} from '@preact/signals';
import {render} from 'preact';
import {loadLanguage, t} from './i18n';
import {startClock} from './lib/format';
import {followNetwork} from './lib/live';
import {applyPreferences, language} from './lib/preferences';
import {followVisibility} from './lib/resource';
import {followLocation} from './lib/router';
import {findSession, isNotOffered, session, sessionProblem} from './lib/session';
import {listenToKeys} from './lib/shortcuts';
import {Layout} from './ui/layout';
import {Login} from './ui/login';
import {Problem, Skeleton} from './ui/panel';

function Console() {
  if (session.value) return <Layout />;
  if (session.value === null) return <Login />;
  if (sessionProblem.value !== undefined) {
    if (isNotOffered(sessionProblem.value)) return <Login />;
    return (
      <main class="login">
        <h1>Skirmish</h1>
        <Problem of={sessionProblem.value} retry={() => void findSession()} />
      </main>
    );
  }
  return (
    <main class="login" aria-label={t('state.loading')}>
      <h1 class="sr">Skirmish</h1>
      <Skeleton />
    </main>
  );
}

applyPreferences();
followLocation();
followVisibility();
followNetwork();
startClock();
listenToKeys();
const first = loadLanguage(language.value).catch(() => {});
void Promise.all([first, findSession()]);
void first.then(() => {
  effect(() => void loadLanguage(language.value).catch(() => {}));
  render(<Console />, document.getElementById('app')!);
});
