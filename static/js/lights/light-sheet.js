// The sheet with the card of a light.

import { Sheet } from '../view/sheet.js';

/** The card of one light, over the page. */
export class LightSheet extends Sheet {
  constructor(dialog) {
    super(dialog);
    this._box = dialog.querySelector('.light-sheet-card');
    this.light = null;
  }

  /** Show this card; `opener` gets the focus when the sheet is closed. */
  open(light, card, opener) {
    this.light = light;
    this._box.replaceChildren(card.element);
    this._show(opener);
    card.element.querySelector('[role=slider]').focus({ preventScroll: true });
  }

  _closed() {
    super._closed();
    this.light = null;
    this._box.replaceChildren();
  }
}
