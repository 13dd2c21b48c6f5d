// The page of a refusal: the panel writes it in English, and this says it in the language of the page.

import { inWords, ready, renderProblem } from '../view/problem.js';
import { addWords, translate } from '../words.js';

addWords({
  en: { to_the_lights: 'To the lights' },
  zh: { to_the_lights: '返回灯光' },
});

const page = document.getElementById('problem');
const problem = JSON.parse(page.dataset.problem);
translate(page);
ready.then(() => {
  const { title } = inWords(problem);
  document.title = `${title} · Pilot Light`;
  page.querySelector('h1').textContent = title;
  renderProblem(page.querySelector('p'), problem);
});
