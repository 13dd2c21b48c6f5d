// Settings of this device: its name, its language, and how it is connected.

import './words.js';

import { Page } from '../page.js';
import { COMMON, reducer } from '../page-state.js';
import { remember } from '../remember.js';
import { TRANSPORTS } from '../transports.js';
import { chatBadge } from '../unread.js';
import { Choice } from '../view/choice.js';
import { onSubmit, write } from '../view/dom.js';
import { LinkView } from '../view/link.js';
import { deviceName, inOrder } from '../view/settings.js';
import { language, t } from '../words.js';

const LANGUAGES = { en: 'English', zh: '简体中文' }; // each in its own language

const page = new Page({
  state: COMMON,
  apply: reducer({}),
  render: (state) => link.render(state.link, false),
  transports: Object.keys(TRANSPORTS),
  heard(event) {
    updateBadge(event);
    return event;
  },
});
const updateBadge = chatBadge(page);
const link = new LinkView(page.retry);

const form = document.getElementById('name-form');
const { name } = form.elements;
const saved = form.querySelector('.saved');
name.value ||= deviceName(); // somebody may have typed before this script came
name.addEventListener('input', () => write(saved, ''));
onSubmit(form, () => {
  const given = inOrder(name.value);
  name.value = given;
  if (given !== deviceName()) {
    remember('name', given);
    page.connect(); // the panel learns the name when a connection begins
  }
  write(saved, t('device_saved'));
});

const languages = Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }));
new Choice(document.getElementById('languages'), languages, (chosen) => {
  remember('language', chosen);
  location.reload();
}).render(language);

page.start();
