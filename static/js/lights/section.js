// A section of the page: a group with its switch, slider and menu, or the lights of a node.

import { mayControl } from '../me.js';
import { isLive } from '../page-state.js';
import { arrange, make, setAttributes, write } from '../view/dom.js';
import { t, translate } from '../words.js';
import { groupLook, lastLevel } from './arrangement.js';
import { NodeHeading } from './node-heading.js';
import { Slider } from './slider.js';

export class GroupSection {
  /** `wishes` takes changes of the group, `menu(button)` opens its menu. */
  constructor(id, { wishes, menu }) {
    this._id = id;
    this._wishes = wishes;
    this._state = null;
    this.box = make('div', { className: 'tiles' });
    const head = document.getElementById('group-head').content.firstElementChild.cloneNode(true);
    translate(head);
    this.element = make('section', { className: 'group' }, head, this.box);
    this.element.dataset.group = id;
    const find = (selector) => head.querySelector(selector);
    this._parts = {
      name: find('h2'),
      level: find('.group-level'),
      on: find('.switch input'),
      more: find('.group-more'),
    };
    this._slider = new Slider(find('.group-bar'), {
      grab: () => wishes.grab(),
      move: (level) => this._want(level),
      letGo: () => wishes.letGo(),
    });
    const { on, more } = this._parts;
    on.addEventListener('change', () => this._switch(on.checked));
    more.addEventListener('click', () => menu(more));
  }

  render(state, { group, lights }) {
    this._state = state;
    const look = groupLook(state, group);
    const may = mayControl(state.me);
    const online = lights.some((light) => light.online);
    const usable = isLive(state) && may && online;
    const { element, _parts: parts } = this;
    const { name } = group;
    setAttributes(element, { 'aria-label': name, 'data-on': look.on, 'data-online': online, 'data-usable': usable });
    write(parts.name, name);
    write(parts.level, online || look.all === 0 ? inWords(look) : t('light_offline'));
    parts.on.checked = look.on;
    parts.on.disabled = !usable;
    setAttributes(parts.on, { 'aria-label': t('switch_of', { name }) });
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

  _want(level) {
    this._wishes.want({ level }, { level, on: level > 0 });
  }

  _switch(on) {
    const look = on ? { on, level: lastLevel(this._state, this._state.groups[this._id]) } : { on };
    this._wishes.want({ on }, look);
  }
}

/** The lights in no group: those of a node, or of this panel alone. */
export class NodeSection {
  constructor(node) {
    this._heading = node ? new NodeHeading(node) : null;
    this._title = make('h2', { className: 'section-title' });
    this.box = make('div', { className: 'tiles' });
    this.element = make('section', { className: 'of-node' });
  }

  /** `said` is a reason that the page has said already, `titled` whether lights of no node need a heading. */
  render({ all, lights }, said, titled) {
    write(this._title, t('other_lights'));
    const own = titled ? [this._title] : [];
    arrange(this.element, [...(this._heading?.render(all, said) ?? own), ...(lights.length ? [this.box] : [])]);
  }
}

function inWords({ on, level, lit, all }) {
  if (all === 0) return t('group_empty');
  if (!on) return t('off');
  return lit && lit < all ? t('group_some', { level, on: lit, all }) : t('look_level', { level });
}
