// A server's status or a board on any other site:
//
//   <script src="https://game.example/widget.js" async></script>
//   <skirmish-widget show="status"></skirmish-widget>
//   <skirmish-widget show="board" board="global" limit="5" language="fr" theme="dark"></skirmish-widget>
//
// It lives in a shadow tree with styles of its own, sets no cookie and sends none. The server must allow the site's origin.

type Words = Record<'online' | 'offline' | 'unknown' | 'players' | 'empty' | 'stale', string>;
const words: Record<string, Words> = {
  en: {online: 'online', offline: 'offline', unknown: 'not known', players: 'players', empty: 'Nobody has scored yet.', stale: 'last known'},
  fr: {online: 'en ligne', offline: 'hors ligne', unknown: 'inconnu', players: 'joueurs', empty: 'Personne n’a encore marqué.', stale: 'dernières valeurs'},
  ru: {online: 'в сети', offline: 'не в сети', unknown: 'неизвестно', players: 'игроков', empty: 'Очков ещё ни у кого нет.', stale: 'последние данные'},
};

const css = `
:host{--g:#fff;--l:#dde1e8;--t:#171b24;--m:#565f70;--a:#3d46c9;--o:#15713f;--b:#b3211f;display:block;max-width:22rem}
:host([theme=dark]){--g:#181b23;--l:#2a2f3b;--t:#e9ecf2;--m:#a0a9b9;--a:#a3abff;--o:#62d393;--b:#ff918a}
@media(prefers-color-scheme:dark){:host(:not([theme=light])){--g:#181b23;--l:#2a2f3b;--t:#e9ecf2;--m:#a0a9b9;--a:#a3abff;--o:#62d393;--b:#ff918a}}
section{box-sizing:border-box;padding:14px 16px;border:1px solid var(--l);border-radius:10px;background:var(--g);color:var(--t);font:15px/1.45 system-ui,"Segoe UI",Roboto,sans-serif;font-variant-numeric:tabular-nums}
header{display:flex;justify-content:space-between;gap:12px;font-weight:650}
header span{font-weight:550;white-space:nowrap;color:var(--m)}
.up{color:var(--o)}.down{color:var(--b)}
p{margin:4px 0 0;color:var(--m)}b{color:var(--t)}
ol{list-style:none;margin:8px 0 0;padding:0}
li{display:flex;gap:10px;padding:4px 0;border-top:1px solid var(--l)}
li i{font-style:normal;color:var(--a);min-width:1.6em;font-weight:650}
li span{flex:1;overflow-wrap:anywhere}
section.stale{opacity:.7}`;

const script = document.currentScript as HTMLScriptElement | null;
const home = new URL('.', script?.src ?? location.href).href;

interface Status {
  server_status?: number;
  online?: boolean | null;
  players?: number | null;
  max_players?: number | null;
  map?: string | null;
  name?: string | null;
}
interface Entry {
  rank: number;
  player_id: string;
  score: number;
}

function make(name: string, text: string, className = ''): HTMLElement {
  const element = document.createElement(name);
  element.textContent = text;
  if (className) element.className = className;
  return element;
}

class SkirmishWidget extends HTMLElement {
  static readonly observedAttributes = ['show', 'board', 'limit', 'server', 'language'];
  readonly #root = this.attachShadow({mode: 'open'});
  readonly #box = document.createElement('section');
  #timer: ReturnType<typeof setTimeout> | undefined;
  #run = 0;

  constructor() {
    super();
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    this.#root.adoptedStyleSheets = [sheet];
    this.#root.append(this.#box);
  }

  connectedCallback(): void {
    void this.#refresh();
  }

  disconnectedCallback(): void {
    clearTimeout(this.#timer);
    this.#run++;
  }

  attributeChangedCallback(): void {
    if (this.isConnected) void this.#refresh();
  }

  get #language(): string {
    const wanted = this.getAttribute('language') ?? document.documentElement.lang ?? navigator.language;
    return wanted.slice(0, 2) in words ? wanted.slice(0, 2) : 'en';
  }

  async #refresh(): Promise<void> {
    clearTimeout(this.#timer);
    const run = ++this.#run;
    let pause_s = 30;
    try {
      if (!document.hidden || !this.#box.hasChildNodes()) {
        const lines = this.getAttribute('show') === 'board' ? await this.#board() : await this.#status();
        if (run !== this.#run) return;
        this.#box.replaceChildren(...lines);
        this.#box.classList.remove('stale');
        this.#box.removeAttribute('title');
      }
    } catch {
      if (run !== this.#run) return;
      pause_s = 120;
      const text = words[this.#language]!;
      // The last values stay, and say that they are old.
      if (!this.#box.hasChildNodes()) this.#box.replaceChildren(this.#head(text.unknown, ''));
      this.#box.classList.add('stale');
      this.#box.title = text.stale;
    }
    this.#timer = setTimeout(() => void this.#refresh(), pause_s * (900 + Math.random() * 200));
  }

  async #get<T>(path: string): Promise<T> {
    const answer = await fetch(home + path, {credentials: 'omit', headers: {Accept: 'application/json'}, signal: AbortSignal.timeout(10_000)});
    if (!answer.ok) throw new Error(String(answer.status));
    return (await answer.json()) as T;
  }

  #head(state: string, className: string, name?: string | null): HTMLElement {
    const head = make('header', this.getAttribute('title') ?? name ?? 'Skirmish');
    head.append(make('span', state, className));
    return head;
  }

  async #status(): Promise<HTMLElement[]> {
    const server = this.getAttribute('server');
    const status = await this.#get<Status>(server ? `api/servers/${encodeURIComponent(server)}/status` : 'server/status');
    const text = words[this.#language]!;
    const isUp = status.online ?? (status.online === undefined && (status.server_status ?? 0) > 0);
    const lines = [this.#head(`${isUp ? '●' : '■'} ${isUp ? text.online : text.offline}`, isUp ? 'up' : 'down', status.name)];
    if (isUp && status.players !== undefined && status.players !== null) {
      const line = make('p', '');
      const most = status.max_players ? ` / ${status.max_players.toLocaleString(this.#language)}` : '';
      line.append(make('b', status.players.toLocaleString(this.#language)), `${most} ${text.players}${status.map ? ` · ${status.map}` : ''}`);
      lines.push(line);
    }
    return lines;
  }

  async #board(): Promise<HTMLElement[]> {
    const board = this.getAttribute('board') ?? 'global';
    const limit = Math.min(50, Math.max(1, Number(this.getAttribute('limit')) || 5));
    const {items} = await this.#get<{items: Entry[]}>(`api/leaderboards/${encodeURIComponent(board)}?limit=${limit}`);
    const head = this.#head('', '', board);
    if (items.length === 0) return [head, make('p', words[this.#language]!.empty)];
    const list = document.createElement('ol');
    for (const {rank, player_id, score} of items) {
      const line = document.createElement('li');
      line.append(make('i', rank.toLocaleString(this.#language)), make('span', player_id), make('b', score.toLocaleString(this.#language)));
      list.append(line);
    }
    return [head, list];
  }
}

if (!customElements.get('skirmish-widget')) customElements.define('skirmish-widget', SkirmishWidget);
