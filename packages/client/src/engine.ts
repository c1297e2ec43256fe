import { Centrifuge, type Options, type TransportEndpoint } from 'centrifuge';

/** The part of a connect command that is looked at. */
export interface ConnectCommand {
  readonly token?: string;
  readonly subs?: Readonly<Record<string, object>>;
}

interface Command {
  readonly connect?: ConnectCommand;
}

/**
 * Makes the next subscribe ask for a token, where there is a function that gives one: a user's token in
 * another's connection costs the connection.
 */
export function forgetToken(subscription: { readonly channel: string }): void {
  const engineSide = subscription as unknown as { _token: string; readonly _getToken: unknown };
  if (engineSide._getToken !== null) engineSide._token = '';
}

/**
 * The stock client with a hand on its connect command, which it writes by itself alone: it has no option
 * for places in channels that another page was subscribed to by the server. The codec, which it leaves
 * to subclasses, is the one place that commands pass on their way to any transport.
 */
export class Engine extends Centrifuge {
  constructor(
    endpoint: TransportEndpoint[],
    options: Partial<Options>,
    rewriteConnect: (connect: ConnectCommand) => ConnectCommand,
  ) {
    super(endpoint, options);
    const codec = this._codec as { encodeCommands(commands: readonly Command[]): unknown };
    const encode = codec.encodeCommands.bind(codec);
    codec.encodeCommands = (commands) =>
      encode(
        commands.map((command) =>
          command.connect === undefined
            ? command
            : { ...command, connect: rewriteConnect(command.connect) },
        ),
      );
  }
}
