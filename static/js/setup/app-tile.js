// What this browser does with the panel beside showing its pages; over plain http, why not, and the way to it.

import { renderFix } from '../lights/fix.js';
import { cannotKeep } from '../offline.js';
import { write } from '../view/dom.js';
import { t } from '../words.js';

const WITH_TLS = 'pilotlight serve --host 0.0.0.0 --cert light.pem --key light.key'; // docs/how-to/use-https.md

export class AppTile {
  constructor(tile) {
    this._how = tile.querySelector('.hint-text');
    this._fix = tile.querySelector('.fix');
    this._install = tile.querySelector('button');
    this._offered = null;
    this._say(cannotKeep());
    addEventListener('pilotlight:not-kept', () => this._say('untrusted'));
    // Chromium offers to install the panel, and only once; other browsers have it in their menus.
    addEventListener('beforeinstallprompt', (offered) => this._offer(offered));
    addEventListener('appinstalled', () => this._offer(null));
    this._install.addEventListener('click', () => {
      this._offered.prompt();
      this._offer(null);
    });
  }

  _say(why) {
    write(this._how, t(why ? `app_${why}` : 'app_works'));
    renderFix(this._fix, why === 'http' ? WITH_TLS : '');
  }

  _offer(offered) {
    this._offered = offered;
    this._install.hidden = !offered;
  }
}
