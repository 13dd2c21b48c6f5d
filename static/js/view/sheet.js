// A sheet: a dialog over the page, from below on a phone.

/** A dialog that closes by its cross and by a click outside, shows the notices while it is open, and returns the focus. */
export class Sheet {
  constructor(dialog) {
    this.dialog = dialog;
    this._opener = null;
    this._notices = document.getElementById('notices');
    this._noticesBehind = null;
    for (const button of dialog.querySelectorAll('[data-close]')) button.addEventListener('click', () => dialog.close());
    // A press that began elsewhere, as the one that has opened this sheet, is no click outside.
    let outside = false;
    dialog.addEventListener('pointerdown', (event) => (outside = event.target === dialog));
    dialog.addEventListener('click', (event) => event.target === dialog && outside && dialog.close());
    dialog.addEventListener('close', () => this._closed());
  }

  get isOpen() {
    return this.dialog.open;
  }

  close() {
    if (this.isOpen) this.dialog.close();
  }

  _show(opener) {
    this._opener = opener ?? document.activeElement;
    this._noticesBehind = this._notices?.parentElement; // the page, or the sheet that this one lies on
    if (this._notices) this.dialog.append(this._notices); // what is behind a dialog cannot be used, so its notices neither
    this.dialog.showModal();
  }

  _closed() {
    if (this._notices) this._noticesBehind.append(this._notices);
    if (this._opener?.isConnected) this._opener.focus({ preventScroll: true });
    this._opener = null;
  }
}
