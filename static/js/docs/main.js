// The API viewer: Swagger UI over this panel's own OpenAPI document, with nothing from the network.

import { translate } from '../words.js';

translate(document);

// Its stylesheet has a dark look of its own, which waits for this class.
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
  validatorUrl: null, // the default asks a server of swagger.io
});
