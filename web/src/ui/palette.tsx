// Search over everything: / or Ctrl+K.
import {useEffect, useState} from 'preact/hooks';
import {t} from '../i18n';
import {navigation} from '../pages';
import {go, link} from '../lib/router';
import {finders, type Hit} from '../lib/search';
import {isPaletteOpen} from '../lib/shortcuts';
import {Modal} from './dialog';
import {Icon} from './icons';

export function Palette() {
  return isPaletteOpen.value ? <OpenPalette /> : null;
}

function OpenPalette() {
  const [text, setText] = useState('');
  const [found, setFound] = useState<{text: string; hits: Hit[]; isDone: boolean}>({text: '', hits: [], isDone: true});
  const [current, setCurrent] = useState(0);
  const close = () => (isPaletteOpen.value = false);
  const wanted = text.trim().toLowerCase();
  const pages: Hit[] = navigation
    .filter(({title}) => t(title).toLowerCase().includes(wanted))
    .map(({icon, title, path, letter}) => ({icon, title: t(title), note: `g ${letter}`, href: link(path)}));

  useEffect(() => {
    if (text.trim().length < 2) return;
    const controller = new AbortController();
    const timer = setTimeout(() => {
      const query = text.trim();
      setFound({text: query, hits: [], isDone: false});
      const each = finders.map(async (find) => {
        const hits = await find(query, controller.signal).catch(() => []);
        if (!controller.signal.aborted) setFound((old) => ({...old, hits: unique([...old.hits, ...hits])}));
      });
      void Promise.all(each).then(() => {
        if (!controller.signal.aborted) setFound((old) => ({...old, isDone: true}));
      });
    }, 150);
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [text]);

  const hits = [...pages, ...(found.text === text.trim() ? found.hits : [])].slice(0, 40);
  const open = (hit: Hit | undefined) => {
    if (!hit) return;
    close();
    go(hit.href);
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown') setCurrent(Math.min(hits.length - 1, current + 1));
    else if (event.key === 'ArrowUp') setCurrent(Math.max(0, current - 1));
    else if (event.key === 'Enter') open(hits[current]);
    else return;
    event.preventDefault();
  };
  return (
    <Modal title={t('search.title')} onClose={close} className="palette">
      <input
        type="text"
        list={undefined}
        autofocus
        value={text}
        role="combobox"
        aria-expanded="true"
        aria-controls="hits"
        aria-activedescendant={hits[current] ? `hit-${current}` : undefined}
        aria-label={t('search.title')}
        placeholder={t('search.hint')}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setCurrent(0);
        }}
        onKeyDown={onKey}
      />
      <ul id="hits" role="listbox" aria-label={t('search.results')}>
        {hits.map((hit, i) => (
          <li key={`${hit.href} ${hit.note}`} id={`hit-${i}`} role="option" aria-selected={i === current} onClick={() => open(hit)}>
            <Icon name={hit.icon} />
            <span class="hit-title">{hit.title}</span>
            <span class="hit-note">{hit.note}</span>
          </li>
        ))}
      </ul>
      {hits.length === 0 && <p class="empty">{found.isDone ? t('search.nothing') : t('state.loading')}</p>}
    </Modal>
  );
}

function unique(hits: Hit[]): Hit[] {
  return [...new Map(hits.map((hit) => [hit.href, hit])).values()];
}
