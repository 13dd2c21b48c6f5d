// The API page: Swagger UI with the OpenAPI document of this panel, without files of other servers.

import { ROOT } from '../root.js';
import { t, translate } from '../words.js';

translate(document);

// Its style sheet has dark colours for this class.
const light = matchMedia('(prefers-color-scheme: light)');
const dress = () => document.documentElement.classList.toggle('dark-mode', !light.matches);
light.addEventListener('change', dress);
dress();

/** What it has outside of its main gets a name, and its headings the levels that they leave out. */
function mend() {
  const about = document.querySelector('.information-container');
  about.setAttribute('role', 'region');
  about.setAttribute('aria-label', t('api'));
  for (const heading of document.querySelectorAll('.opblock-tag, .models h4')) heading.setAttribute('aria-level', '2');
}

window.SwaggerUIBundle({
  url: `${ROOT}/openapi.json`,
  dom_id: '#viewer',
  deepLinking: true,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  onComplete: mend,
  validatorUrl: null, // the default sends the document to a server of swagger.io
});
