// The row of scenes: a chip for each, which recalls it and has a menu, and one that makes a new scene.

import { lock } from '../lock.js';
import { mayControl } from '../me.js';
import { isLive } from '../page-state.js';
import { arrange, icon, make, setAttributes, write } from '../view/dom.js';
import { t } from '../words.js';
import { sceneIsOn } from './arrangement.js';

export class SceneRow {
  /** `recall(id)` recalls a scene, `menu(id, button)` opens its menu, `add()` makes a new one. */
  constructor(box, { recall, menu, add }) {
    this._box = box;
    this._recall = recall;
    this._menu = menu;
    this._chips = new Map();
    this._add = make('button', { type: 'button', className: 'scene-add' }, icon('plus'), make('span', {}, t('scene')));
    this._add.setAttribute('aria-label', t('scene_add'));
    this._add.title = t('scene_add');
    this._add.addEventListener('click', add);
  }

  render(state, many) {
    const scenes = Object.values(state.scenes);
    const may = mayControl(state.me);
    const mayAdd = may && many;
    this._box.hidden = scenes.length === 0 && !mayAdd;
    for (const id of this._chips.keys()) if (!(id in state.scenes)) this._chips.delete(id);
    const chips = scenes.map((scene) => this._rendered(scene, state, may));
    this._add.disabled = !isLive(state);
    arrange(this._box, mayAdd ? [...chips, this._add] : chips);
  }

  _rendered(scene, state, may) {
    if (!this._chips.has(scene.id)) this._chips.set(scene.id, this._make(scene.id));
    const chip = this._chips.get(scene.id);
    const [recall, more] = chip.children;
    const on = sceneIsOn(state, scene);
    setAttributes(chip, { 'data-on': on, 'data-scene': scene.id });
    write(recall.querySelector('.scene-name'), scene.name);
    setAttributes(recall, { 'aria-pressed': on, title: scene.name });
    recall.disabled = !isLive(state);
    lock(recall, may ? null : 'lights');
    more.hidden = !may;
    more.disabled = !isLive(state);
    setAttributes(more, { 'aria-label': t('scene_menu', { name: scene.name }), 'aria-haspopup': 'menu' });
    return chip;
  }

  _make(id) {
    const dot = make('span', { className: 'scene-dot' });
    const recall = make(
      'button',
      { type: 'button', className: 'scene-recall' },
      dot,
      make('span', { className: 'scene-name' }),
    );
    const more = make('button', { type: 'button', className: 'scene-more' }, icon('sign-more'));
    recall.addEventListener('click', () => this._recall(id));
    more.addEventListener('click', () => this._menu(id, more));
    return make('div', { className: 'scene' }, recall, more);
  }
}
