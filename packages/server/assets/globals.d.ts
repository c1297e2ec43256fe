import type { Centrifuge as Client } from 'centrifuge';

declare global {
  /** Set by `centrifuge.js`, the browser build of the npm client. */
  // oxlint-disable-next-line no-var -- only `var` declares a property of globalThis
  var Centrifuge: typeof Client;
}
