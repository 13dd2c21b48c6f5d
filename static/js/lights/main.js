// The lights page: connects the state with the tiles and cards of the lights, the groups and the scenes.

import './words.js';
import { learnMe } from '../me.js';
import { Page } from '../page.js';
import { remember, remembered } from '../remember.js';
import { TRANSPORTS } from '../transports.js';
import { chatBadge } from '../unread.js';
import { t } from '../words.js';
import { keptLook } from './arrangement.js';
import { LightCard } from './light-card.js';
import { refusalOf, wholeRefusalOf } from './refusals.js';
import { GroupSection } from './section.js';
import { EMPTY, apply, shown } from './state.js';
import { Tile } from './tile.js';
import { LightsView } from './view.js';
import { Wishes } from './wishes.js';

const RECALL = 0.8; // seconds of the fade to a scene

const wishes = { light: new Map(), group: new Map() };

const page = new Page({
  state: { ...EMPTY, own: remembered('own', {}, 'sessionStorage') }, // after a reload "You" is still this tab
  apply,
  render: (state) => view.render(state),
  transports: Object.keys(TRANSPORTS),
  canResume: (state) => state.hardware !== null, // REST does not send it: ask for a snapshot
  follow: () => followed(),
  wants: ['groups', 'scenes', 'people', 'runs', 'shows'],
  heard,
  changed: (before) => {
    const { own, rev } = page.state;
    if (own !== before.own) remember('own', own, 'sessionStorage');
    if (rev !== before.rev) for (const one of wishes.group.values()) one.caughtUp();
  },
});
const { ask, refuse } = page;
const dispatch = (event) => page.dispatch(event);
const updateBadge = chatBadge(page);
let arranging = null;
let done = 0; // notices of what was done

function heard(event) {
  if (event.event === 'link') {
    if (event.link.status === 'live') learnMe().then((me) => dispatch({ event: 'me', me }));
    else for (const one of [...wishes.light.values(), ...wishes.group.values()]) one.forget();
  }
  updateBadge(event);
  return event;
}

/** Send a command that is not a wish, and show what came of it. */
async function act(command) {
  const reply = await ask(command);
  took(reply);
  return reply;
}

/** Note what came of a command of this page: what it changed, and what was refused. */
function took(reply) {
  if (!reply.ok) return complain(wholeRefusalOf(page.state, reply.problem));
  if (reply.light) dispatch({ event: 'own', light: reply.light, rev: reply.rev });
  if (reply.lights) dispatch({ event: 'own_many', lights: reply.lights });
  if (Object.keys(reply.refused ?? {}).length) complain(refusalOf(page.state, reply.refused));
}

/** Show a refusal, once: each command of a drag may be refused for the same reason. */
function complain(problem) {
  const same = ({ problem: shown }) => shown && shown.title === problem?.title && shown.detail === problem?.detail;
  if (!page.state.notices.some(same)) refuse(problem);
}

/** Do it, and offer to take it back. `titleOf(partly)` says what was done, by all lights or by some. */
async function actWithUndo(command, titleOf, undo) {
  const reply = await act(command);
  if (!reply.ok) return;
  done += 1;
  const title = titleOf(Object.keys(reply.refused ?? {}).length > 0);
  dispatch({ event: 'done', id: `done-${done}`, title, undo: { do: 'undo_light', ...undo } });
}

function recall(id) {
  const { name } = page.state.scenes[id];
  const command = { do: 'recall_scene', scene: id, transition: RECALL };
  actWithUndo(command, (partly) => t(partly ? 'scene_partly' : 'scene_on', { name }), { scene: id });
}

function allOff() {
  const command = { do: 'set_light', group: 'all', on: false };
  actWithUndo(command, (partly) => t(partly ? 'all_off_partly' : 'all_off_done'), { group: 'all' });
}

/** The wishes for a light or a group: those of its tiles and of its card are the same. */
function wishesOf(kind, id) {
  const known = wishes[kind];
  const look = () => (kind === 'light' ? shown : keptLook)(page.state, id);
  const shows = () => (({ level, on }) => ({ level, on }))(look());
  const how = { ask, dispatch, took, seen: () => page.state.rev, look: shows };
  if (!known.has(id)) known.set(id, new Wishes({ [kind]: id }, how));
  return known.get(id);
}

function makeCard(id) {
  const history = () => ask({ do: 'get_history', light: id });
  return new LightCard(id, { look: () => shown(page.state, id), wishes: wishesOf('light', id), ask: act, refuse, history });
}

function makeTile(id, open) {
  return new Tile(id, { look: () => shown(page.state, id), wishes: wishesOf('light', id), open });
}

function makeGroup(id) {
  return new GroupSection(id, {
    wishes: wishesOf('group', id),
    menu: (button) => arrange((arranging) => arranging.groupMenu(id, button)),
  });
}

function followed() {
  return remembered('nodes', []);
}

/** Show the lights of these nodes only, or of all. */
function follow(names) {
  remember('nodes', names);
  dispatch({ event: 'followed' });
  page.connect();
}

/** Do something with the menus and forms of groups and scenes, which come when somebody opens the first one. */
async function arrange(open) {
  try {
    const { Arranging } = await import('./arranging.js');
    arranging ??= new Arranging({ now: () => page.state, ask, act });
  } catch {
    return page.live ? location.reload() : refuse(null); // a newer panel has other files
  }
  open(arranging);
}

const view = new LightsView({
  make: { card: makeCard, tile: makeTile, group: makeGroup },
  scenes: {
    recall,
    menu: (id, button) => arrange((arranging) => arranging.sceneMenu(id, button)),
    add: () => arrange((arranging) => arranging.addScene()),
  },
  signal: (run, signal) => act({ do: 'signal_run', run, signal }),
  addGroup: () => arrange((arranging) => arranging.addGroup()),
  allOff,
  undo(id, command) {
    page.dismiss(id);
    act(command);
  },
  dismiss: page.dismiss,
  retry: page.retry,
  followed,
  follow,
});
page.start();
