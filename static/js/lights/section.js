// A section of the page: a group with its switch, slider and menu, or the lights of a node.

import { lock } from '../lock.js';
import { mayControl } from '../me.js';
import { isLive } from '../page-state.js';
import { arrange, make, setAttributes, write } from '../view/dom.js';
import { t, translate } from '../words.js';
import { groupLook } from './arrangement.js';
import { Slider } from './slider.js';

export class GroupSection {
  /** `wishes` takes changes of the group, `menu(button)` opens its menu. */
  constructor(id, { wishes, menu }) {
    this.box = make('div', { className: 'tiles' });
    const head = document.getElementById('group-head').content.firstElementChild.cloneNode(true);
    translate(head);
    this.element = make('section', { className: 'group' }, head, this.box);
    this.element.dataset.group = id;
    const find = (selector) => head.querySelector(selector);
    this._parts = {
      head,
      name: find('h2'),
      level: find('.group-level'),
      on: find('.switch input'),
      more: find('.group-more'),
    };
    this._slider = new Slider(find('.group-bar'), {
      grab: () => wishes.grab(),
      move: (level) => wishes.wantLevel(level),
      letGo: () => wishes.letGo(),
    });
    const { on, more } = this._parts;
    on.addEventListener('change', () => wishes.wantOn(on.checked));
    more.addEventListener('click', () => menu(more));
  }

  render(state, { group, lights }) {
    const look = groupLook(state, group);
    const may = mayControl(state.me);
    const online = lights.some((light) => light.online);
    const ready = isLive(state) && online;
    const usable = ready && may;
    const { element, _parts: parts } = this;
    const { name } = group;
    setAttributes(element, { 'aria-label': name, 'data-on': look.on, 'data-online': online, 'data-usable': usable });
    write(parts.name, name);
    write(parts.level, online || look.all === 0 ? inWords(look) : t('light_offline'));
    parts.on.checked = look.on;
    parts.on.disabled = !ready;
    setAttributes(parts.on, { 'aria-label': t('switch_of', { name }) });
    lock(parts.head, may ? null : 'lights');
    this._slider.render({
      level: look.level,
      actual: look.level,
      text: look.on ? t('level_text', { level: look.level }) : t('off'),
      label: t('level_of', { name }),
      disabled: !usable,
    });
    parts.more.hidden = !may;
    parts.more.disabled = !isLive(state);
    setAttributes(parts.more, { 'aria-label': t('group_menu', { name }), title: t('group_menu', { name }) });
  }
}

/** The lights in no group: those of a node, or of this panel alone. */
export class NodeSection {
  constructor(node) {
    this._node = node;
    this._title = make('h2', { className: node ? 'node' : 'section-title' });
    this.box = make('div', { className: 'tiles' });
    this.element = make('section', { className: 'of-node' });
  }

  /** `titled` is whether lights of no node need a heading. */
  render(titled) {
    write(this._title, this._node || t('other_lights'));
    arrange(this.element, this._node || titled ? [this._title, this.box] : [this.box]);
  }
}

function inWords({ on, level, lit, all }) {
  if (all === 0) return t('group_empty');
  if (!on) return t('off');
  return lit && lit < all ? t('group_some', { level, on: lit, all }) : t('look_level', { level });
}
