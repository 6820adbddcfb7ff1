// What stands around every page: navigation, connection, preferences.
import {useEffect, useState} from 'preact/hooks';
import type {ComponentChildren, ComponentType} from 'preact';
import {t} from '../i18n';
import {duration, now} from '../lib/format';
import {isOffline, closeLive, linkState, lostSince, reconnect} from '../lib/live';
import {language, theme, zone, type Language, type Theme, type Zone} from '../lib/preferences';
import {forgetResources, isPaused, refreshAll} from '../lib/resource';
import {here, link} from '../lib/router';
import {logOut, session} from '../lib/session';
import {isHelpOpen, isPaletteOpen} from '../lib/shortcuts';
import {navigation, type Page} from '../pages';
import {Dialogs, Modal} from './dialog';
import {Icon} from './icons';
import {Palette} from './palette';
import {Problem, Skeleton} from './panel';

const groups = ['watch', 'world', 'work', 'run'] as const;

export function Layout() {
  const [isMenuOpen, setMenuOpen] = useState(false);
  const path = here.value.parts[0] ?? '';
  const page = navigation.find((one) => one.path === path);
  const title = page ? t(page.title) : t('page.unknown');
  useEffect(() => {
    document.title = `${title} · Skirmish`;
  }, [title]);
  useEffect(() => setMenuOpen(false), [path]);
  return (
    <div class={isMenuOpen ? 'layout menu-open' : 'layout'}>
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), document.getElementById('main')?.focus())}>
        {t('layout.skip')}
      </a>
      <header class="top">
        <button type="button" class="plain icon-only menu-button" aria-label={t('layout.menu')} aria-expanded={isMenuOpen} aria-controls="navigation" onClick={() => setMenuOpen(!isMenuOpen)}>
          <Icon name={isMenuOpen ? 'close' : 'menu'} />
        </button>
        <a class="brand" href={link('')} aria-label="Skirmish">
          <span class="mark" aria-hidden="true" />
          <span>Skirmish</span>
        </a>
        <button type="button" class="search-button" onClick={() => (isPaletteOpen.value = true)}>
          <Icon name="search" />
          <span>{t('search.title')}</span>
          <kbd aria-hidden="true">Ctrl K</kbd>
        </button>
        <div class="top-tools">
          <Connection />
          <button type="button" class="plain icon-only" aria-label={t('action.refresh')} title={`${t('action.refresh')} (r)`} onClick={refreshAll}>
            <Icon name="refresh" />
          </button>
          <button type="button" class="plain icon-only" aria-pressed={isPaused.value} aria-label={t('action.pause')} title={`${t('action.pause')} (p)`} onClick={() => (isPaused.value = !isPaused.value)}>
            <Icon name={isPaused.value ? 'play' : 'pause'} />
          </button>
        </div>
      </header>
      <nav id="navigation" class="side" aria-label={t('layout.pages')}>
        {groups.map((group) => (
          <Group key={group} pages={navigation.filter((one) => one.group === group)} path={path} />
        ))}
        <div class="side-foot">
          <Preferences />
          <Who />
        </div>
      </nav>
      <div class="scrim" onClick={() => setMenuOpen(false)} />
      <main id="main" tabIndex={-1}>
        <Banner />
        {page ? <PageView key={page.path} page={page} /> : <NoPage />}
      </main>
      <Palette />
      <Help />
      <Dialogs />
    </div>
  );
}

function Group({pages, path}: {pages: Page[]; path: string}) {
  if (pages.length === 0) return null;
  return (
    <ul>
      {pages.map((one) => (
        <li key={one.path}>
          <a href={link(one.path)} aria-current={one.path === path ? 'page' : undefined} title={`g ${one.letter}`}>
            <Icon name={one.icon} />
            {t(one.title)}
          </a>
        </li>
      ))}
    </ul>
  );
}

const loaded = new Map<string, ComponentType>();

function PageView({page}: {page: Page}) {
  const [, setVersion] = useState(0);
  const [problem, setProblem] = useState<unknown>();
  const load = () => {
    setProblem(undefined);
    page.load().then(
      (module) => {
        loaded.set(page.path, module.default);
        setVersion((n) => n + 1);
      },
      setProblem,
    );
  };
  useEffect(load, []);
  const Shown = loaded.get(page.path);
  if (Shown) return <Shown />;
  return problem === undefined ? <Skeleton lines={8} /> : <Problem of={problem} retry={load} />;
}

function NoPage() {
  return (
    <div class="page">
      <h1>{t('page.unknown')}</h1>
      <p>
        <a href={link('')}>{t('page.go_home')}</a>
      </p>
    </div>
  );
}

/** The head of a page: its title, and what stands beside it. */
export function PageHead({title, children}: {title: string; children?: ComponentChildren}) {
  return (
    <div class="page-head">
      <h1>{title}</h1>
      {children && <div class="page-tools">{children}</div>}
    </div>
  );
}

function Connection() {
  const state = linkState.value;
  if (isPaused.value) return <span class="connection paused">{t('link.paused')}</span>;
  if (state === undefined) return null;
  return <span class={`connection ${state === 'open' ? 'live' : 'lost'}`}>{state === 'open' ? t('link.live') : t('link.connecting')}</span>;
}

// Above the page, without moving it: the place is kept by position: sticky over it.
function Banner() {
  if (isOffline.value) return <p class="banner" role="status">{t('link.offline')}</p>;
  const since = lostSince.value;
  if (since === undefined || now.value - since < 1000) return null;
  return (
    <p class="banner" role="status">
      <span>{t('link.reconnecting', {age: duration(Math.floor((now.value - since) / 1000))})}</span>
      <button type="button" class="small" onClick={reconnect}>
        {t('link.now')}
      </button>
    </p>
  );
}

function Who() {
  const who = session.value;
  if (!who) return null;
  const leave = async () => {
    try {
      await logOut();
    } finally {
      closeLive();
      forgetResources();
    }
  };
  return (
    <div class="who">
      <span>
        <strong>{who.name || who.key_id}</strong>
        <small>{t(`role.${who.role}`)}</small>
      </span>
      <button type="button" class="plain icon-only" aria-label={t('action.log_out')} title={t('action.log_out')} onClick={() => void leave()}>
        <Icon name="exit" />
      </button>
    </div>
  );
}

export function Preferences() {
  return (
    <div class="preferences">
      <label>
        <span class="sr">{t('preference.language')}</span>
        <select value={language.value} onChange={(event) => (language.value = event.currentTarget.value as Language)}>
          <option value="en">English</option>
          <option value="fr">Français</option>
          <option value="ru">Русский</option>
        </select>
      </label>
      <label>
        <span class="sr">{t('preference.theme')}</span>
        <select value={theme.value} onChange={(event) => (theme.value = event.currentTarget.value as Theme)}>
          <option value="auto">{t('theme.auto')}</option>
          <option value="light">{t('theme.light')}</option>
          <option value="dark">{t('theme.dark')}</option>
        </select>
      </label>
      <label>
        <span class="sr">{t('preference.zone')}</span>
        <select value={zone.value} onChange={(event) => (zone.value = event.currentTarget.value as Zone)}>
          <option value="utc">UTC</option>
          <option value="local">{t('time.local')}</option>
        </select>
      </label>
    </div>
  );
}

function Help() {
  if (!isHelpOpen.value) return null;
  const keys: [string, string][] = [
    ['/  Ctrl K', t('help.search')],
    ['r', t('action.refresh')],
    ['p', t('action.pause')],
    ['j  k', t('help.move')],
    ['Enter', t('help.open')],
    ['x', t('help.choose')],
    ['?', t('help.help')],
  ];
  return (
    <Modal title={t('help.title')} onClose={() => (isHelpOpen.value = false)}>
      <dl class="keys">
        {[...keys, ...navigation.map(({letter, title}): [string, string] => [`g ${letter}`, t(title)])].map(([key, text]) => (
          <div key={key}>
            <dt>
              {key.split(/ +/).map((one) => (
                <kbd key={one}>{one}</kbd>
              ))}
            </dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
    </Modal>
  );
}
