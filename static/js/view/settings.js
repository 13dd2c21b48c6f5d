// The settings sheet: this device's name and the language.

import { remember, remembered } from '../remember.js';
import { LANGUAGES, language } from '../words.js';
import { Choice } from './choice.js';

export function deviceName() {
  return remembered('name', '');
}

/** Open the sheet from `button`; `renamed()` is called when the name has changed. */
export function settingsSheet(button, renamed) {
  const sheet = document.getElementById('settings');
  const form = sheet.querySelector('form');
  let wantedLanguage = language;
  const languages = new Choice(
    document.getElementById('languages'),
    Object.entries(LANGUAGES).map(([value, label]) => ({ value, label })),
    (value) => (wantedLanguage = value),
  );

  button.addEventListener('click', () => {
    form.elements.name.value = deviceName();
    languages.render(language);
    sheet.showModal();
  });
  sheet.querySelector('[data-close]').addEventListener('click', () => sheet.close());
  sheet.addEventListener('click', (event) => event.target === sheet && sheet.close()); // beside the sheet

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    sheet.close();
    const name = form.elements.name.value.trim();
    if (name !== deviceName()) {
      remember('name', name);
      renamed();
    }
    if (wantedLanguage !== language) {
      remember('language', wantedLanguage);
      location.reload();
    }
  });
}
