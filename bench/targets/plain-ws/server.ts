import type { StartServer } from '../target.ts';
import { startBareLoop } from './bare-loop.ts';

/** The bare loop; who has shaken hands is subscribed. */
export const startPlainWs: StartServer = (settings) =>
  startBareLoop({
    ...settings,
    welcome: (_webSocket, _socket, join) => join(),
    textOf: (message) => message,
  });
