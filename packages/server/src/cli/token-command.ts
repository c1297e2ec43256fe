import { type Command, InvalidArgumentError, Option } from 'commander';
import { Duration } from '../config/duration.ts';
import { toTokenOptions } from '../config/token-options.ts';
import { tokenCheckCommand } from '../tokens/token-check-command.ts';
import { tokenCreateCommand } from '../tokens/token-create-command.ts';
import type { TokenCommandResult, TokenSections } from '../tokens/token-sections.ts';
import type { Finish } from './config-command.ts';
import { addConfigOptions, givenConfig } from './config-options.ts';
import { describeProblem } from './describe-findings.ts';
import { loadFromTerminal } from './load-from-terminal.ts';
import { exitCodes, type ExitCode, type Terminal } from './terminal.ts';

/** What `holdfast token …` takes and does. */
export function defineTokenCommand(token: Command, terminal: Terminal, finish: Finish): void {
  token.description('Makes tokens for trying things out, and says why one is refused.');

  const create = token
    .command('create')
    .summary('make a token that this configuration accepts')
    .description(
      'Prints a token signed with the configured HMAC secret. In production your backend makes them.',
    )
    .option('-u, --user <id>', 'user id; anonymous without', '')
    .option('--channel <name>', 'make a subscription token for this channel')
    .option('--channels <names...>', 'channels that the server subscribes the connection to')
    .addOption(
      new Option('--ttl <duration>', 'time until it expires; 0: never')
        .argParser(parseTtl)
        .default(new Duration(3_600_000), '1h'),
    )
    .option('--info <json>', 'info that other clients see')
    .option('--meta <json>', 'meta that only the backend sees')
    .option('--data <json>', 'data of a subscription token for its client')
    .option('--audience <aud>', 'other than the configured one')
    .option('--issuer <iss>', 'other than the configured one')
    .action(async () => {
      const { user, ttl, channel, channels, info, meta, data, audience, issuer } = create.opts<
        {
          readonly user: string;
          readonly ttl: Duration;
          readonly channels?: readonly string[];
        } & Partial<
          Readonly<Record<'channel' | 'info' | 'meta' | 'data' | 'audience' | 'issuer', string>>
        >
      >();
      const given = { channel, channels, info, meta, data, audience, issuer };
      const present = Object.fromEntries(
        Object.entries(given).filter(([, value]) => value !== undefined),
      );
      // The first start may be yet to come: its secrets are made here then.
      const run = (sections: TokenSections): Promise<TokenCommandResult> =>
        tokenCreateCommand({ ...present, user, ttlSeconds: ttl.ms / 1_000 }, sections);
      finish(await withSections(create, { terminal, makeSecrets: true }, run));
    });
  addConfigOptions(create);

  const check = token
    .command('check')
    .summary('say what a token holds and whether it is accepted')
    .description(
      'Says what a token holds, and whether this configuration accepts it, or why not. Exits with 1 when it is refused.',
    )
    .argument('[token]', 'the token; read from standard input when it is missing')
    .option('--subscription', 'check it as a subscription token, whatever it holds')
    .action(async (text: string | undefined) => {
      const asSubscription =
        check.opts<{ readonly subscription?: boolean }>().subscription === true;
      const subject = text ?? (await terminal.readInput());
      const run = (sections: TokenSections): Promise<TokenCommandResult> =>
        tokenCheckCommand(
          { token: subject, ...(asSubscription && { kind: 'subscription' }) },
          sections,
        );
      finish(await withSections(check, { terminal, makeSecrets: false }, run));
    });
  addConfigOptions(check);
}

function parseTtl(text: string): Duration {
  const ttl = Duration.parse(text);
  if (ttl === undefined || ttl.ms < 0 || ttl.ms % 1_000 !== 0) {
    throw new InvalidArgumentError('It must be a duration in whole seconds, such as 90s or 24h.');
  }
  return ttl;
}

async function withSections(
  command: Command,
  { terminal, makeSecrets }: { readonly terminal: Terminal; readonly makeSecrets: boolean },
  run: (sections: TokenSections) => Promise<TokenCommandResult>,
): Promise<ExitCode> {
  const loaded = loadFromTerminal(terminal, givenConfig(command), { makeSecrets });
  if ('errors' in loaded) {
    for (const error of loaded.errors) terminal.err(describeProblem(error, terminal.errColors));
    return exitCodes.failed;
  }
  const { output, notes, isOk } = await run(toTokenOptions(loaded.config));
  for (const note of notes) terminal.err(note);
  if (output !== '') terminal.out(output);
  return isOk ? exitCodes.ok : exitCodes.failed;
}
