// The API page: Swagger UI with the OpenAPI document of this panel, without files of other servers.

import { translate } from '../words.js';

translate(document);

// Its style sheet has dark colours for this class.
const light = matchMedia('(prefers-color-scheme: light)');
const dress = () => document.documentElement.classList.toggle('dark-mode', !light.matches);
light.addEventListener('change', dress);
dress();

window.SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#viewer',
  deepLinking: true,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null, // the default sends the document to a server of swagger.io
});
