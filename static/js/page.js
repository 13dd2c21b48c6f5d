// The shell of every page: its state, its connection to the panel, and the refusals that it shows.

import { setClock } from './clock.js';
import { Connection } from './connection.js';
import { learnMe } from './me.js';
import { onceAFrame } from './once-a-frame.js';
import { TRANSPORTS, chosenTransport, rememberTransport } from './transports.js';
import { Choice } from './view/choice.js';
import { LinkSheet } from './view/link-sheet.js';
import { deviceName } from './view/settings.js';
import { translate } from './words.js';

const TICK = 1000; // ms between two drawings of "5 s ago"

export class Page {
  /**
   * `state` is the first state, `apply(state, event)` returns the next one, `render(state)` draws it.
   *
   * Optional: `changed(before)` runs after each change of the state. `heard(event)` gets each event of the connection
   * before the state does, and returns the event for the state, or null for none. `connecting()` runs before each new
   * connection, after a lost one too. `canResume(state)` says whether the events since this state are enough after a reconnect.
   * `follow()` returns the names of the nodes whose lights are wanted; none: all. `wants` names the lists of the state
   * that the page needs beside the lights; REST asks for each of them.
   */
  constructor({
    state,
    apply,
    render,
    transports = [],
    changed = () => {},
    heard = (event) => event,
    connecting = () => {},
    canResume = () => true,
    follow = () => [],
    wants = [],
  }) {
    this.state = state;
    this.connection = null;
    this.draw = onceAFrame(() => {
      if (this.state.link.status !== 'connecting') delete document.body.dataset.waits; // base.css
      render(this.state);
      this._linkSheet?.render(this.state.link);
    });
    this._apply = apply;
    this._transports = transports;
    this._changed = changed;
    this._heard = heard;
    this._connecting = connecting;
    this._canResume = canResume;
    this._follow = follow;
    this._wants = wants;
    this._refusals = 0;
    translate(document);
  }

  get live() {
    return Boolean(this.connection?.live);
  }

  /** Connect for the first time, and again when somebody changes the transport. */
  start() {
    this._linkSheet = new LinkSheet(document.getElementById('mark'));
    const row = document.getElementById('transports');
    if (row) this._offerTransports(row);
    setInterval(this.draw, TICK);
    addEventListener('pilotlight:me', this.draw);
    addEventListener('pilotlight:signed-in', (event) => {
      event.preventDefault(); // no reload: a new connection has the new role
      this.connect();
    });
    this.connect();
  }

  /** Connect over the transport in the address, under the name of this device. End the connection before. */
  connect() {
    this.connection?.stop();
    const transport = chosenTransport(this._transports);
    this.connection = new Connection({
      transport,
      open: TRANSPORTS[transport].open,
      connecting: this._connecting, // another page may have changed the name of this device
      name: deviceName,
      follow: this._follow,
      wants: this._wants,
      resume: () => this._resumeFrom(this.state),
      listen: (event) => this._listen(event),
    });
    this.connection.start();
  }

  dispatch(event) {
    const before = this.state;
    this.state = this._apply(before, event);
    if (this.state === before) return;
    this._changed(before);
    this.draw();
  }

  /** Send a command to the panel; returns a promise of the reply, which never rejects. */
  ask = (command) => this.connection.ask(command);

  /** Show why something was not done. `problem` is null where no answer came. */
  refuse = (problem) => {
    this._refusals += 1;
    this.dispatch({ event: 'refused', id: this._refusals, problem });
  };

  dismiss = (id) => this.dispatch({ event: 'notice_gone', id });

  retry = () => this.connection.retry();

  _resumeFrom(state) {
    return state.epoch && this._canResume(state) ? { epoch: state.epoch, rev: state.rev } : null;
  }

  _listen(event) {
    if (event.event === 'link') this._noteLink(event.link);
    if (event.event === 'clock_changed') setClock(event.at);
    const kept = this._heard(event);
    if (kept) this.dispatch(kept);
  }

  /** Note since when it is live, or is not: in ms since the Unix epoch, 0 before the first connection. */
  _noteLink(link) {
    const { status, since } = this.state.link;
    const isLive = link.status === 'live';
    if (isLive || link.refused) learnMe().then(this.draw); // a session may have ended meanwhile, or the clock was set
    if (isLive !== (status === 'live')) link.since = Date.now();
    else link.since = since || (link.status === 'connecting' ? 0 : Date.now());
  }

  _offerTransports(row) {
    const options = this._transports.map((value) => ({ value, label: TRANSPORTS[value].label }));
    const choice = new Choice(row, options, (transport) => {
      rememberTransport(transport);
      this.connect();
    });
    choice.render(chosenTransport(this._transports));
  }
}
