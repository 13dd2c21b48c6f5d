// The settings: the name of this device and the language.

import { remember, remembered } from '../remember.js';
import { language } from '../words.js';
import { Choice } from './choice.js';

const LANGUAGES = { en: 'English', zh: '简体中文' }; // each in its own language

export function deviceName() {
  return remembered('name', '');
}

/** The name as the panel writes it: NFC, and one space for each white space. */
export function inOrder(name) {
  return name.normalize('NFC').trim().replace(/\s+/gu, ' ');
}

/** Have `button` open the settings; `renamed()` is called when the name has changed. */
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
  sheet.addEventListener('click', (event) => event.target === sheet && sheet.close()); // a click outside the sheet

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    sheet.close();
    const name = inOrder(form.elements.name.value);
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
