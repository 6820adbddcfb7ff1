// The way in: a key, exchanged for a session that scripts cannot read.
import {useState} from 'preact/hooks';
import {ApiError} from 'skirmish-client';
import {t} from '../i18n';
import {isNotOffered, logIn} from '../lib/session';
import {problemText} from './panel';
import {Preferences} from './layout';

export function Login() {
  const [problem, setProblem] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const key = String(new FormData(form).get('key')).trim();
    setBusy(true);
    setProblem(undefined);
    try {
      await logIn(key);
    } catch (failure) {
      const isWrong = failure instanceof ApiError && (failure.status === 401 || failure.status === 400);
      setProblem(isNotOffered(failure) ? t('login.not_offered') : isWrong ? t('login.wrong') : problemText(failure));
      form.querySelector('input')?.select();
    }
    setBusy(false);
  };
  return (
    <main class="login" id="main">
      <form onSubmit={(event) => void submit(event)}>
        <h1>
          <span class="mark" aria-hidden="true" />
          Skirmish
        </h1>
        <p>{t('login.text')}</p>
        <label class="field">
          <span>{t('login.key')}</span>
          <input name="key" type="password" autocomplete="current-password" required autofocus spellcheck={false} placeholder="sk_…" aria-describedby="login-problem" />
        </label>
        <p id="login-problem" class="login-problem" role="alert">
          {problem}
        </p>
        <button type="submit" class="primary" disabled={isBusy}>
          {t('login.enter')}
        </button>
        <small>
          {t('login.hint')} <code>skirmish apikey create --role viewer</code>
        </small>
      </form>
      <footer class="login-foot">
        <a href="./">{t('login.public')}</a>
        <Preferences />
      </footer>
    </main>
  );
}
