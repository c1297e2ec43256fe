import { envName } from './env.ts';
import type { ConfigNode, OptionNode, SectionNode } from './option.ts';
import { firstStartProfile } from './first-start.ts';
import { formatData } from './print-config.ts';
import { configTree } from './schema.ts';
import { showValue } from './show-value.ts';
import { notYetReason, unsupportedKeys } from './without-effect.ts';

/** One option's or section's place in the schema, with 0 for every element of a list. */
type Path = readonly (string | number)[];

function keyOf(path: Path): string {
  return path
    .map((step) => (step === 0 ? '[]' : `.${step}`))
    .join('')
    .replace(/^\./, '');
}

function cell(text: string): string {
  return text.replaceAll('|', String.raw`\|`).replaceAll('\n', ' ');
}

function row(path: Path, node: OptionNode, isInVariable: boolean): string {
  const remarks = [
    ...(node.own ? ['Not in Centrifugo.'] : []),
    ...(node.centrifugoDefault === undefined
      ? []
      : [`In Centrifugo: \`${node.centrifugoDefault}\`.`]),
    ...(notYetReason(path) === undefined ? [] : ['No effect yet.']),
  ];
  const variable = isInVariable ? `\`${envName(path)}\`` : 'in JSON, see above';
  const meaning = [node.description, `(${kindNote(node)})`, ...remarks].join(' ');
  return `| \`${keyOf(path)}\` | \`${cell(showValue(node, node.defaultValue))}\` | ${variable} | ${cell(meaning)} |`;
}

function kindNote(node: OptionNode): string {
  switch (node.kind) {
    case 'boolean':
      return 'boolean';
    case 'integer':
      return node.expected.replace('a whole number, ', 'number ');
    case 'text':
      return 'text';
    case 'choice':
      return node.expected.replaceAll(
        /"([^"]*)"/g,
        (_, word: string) => `\`${word === '' ? '""' : word}\``,
      );
    case 'duration':
      return 'duration';
    case 'textList':
      return 'list of texts';
    case 'secret':
      return 'secret';
    case 'secretMap':
      return 'object of secrets';
    default:
      return node.kind satisfies never;
  }
}

/** A section that has been written, with what is in it. */
interface WrittenSection {
  readonly key: string;
  /** Names of what is in it: what two sections share are the same objects. */
  readonly names: ReadonlyMap<ConfigNode, string>;
}

/**
 * The reference of all options as Markdown, made from the schema. Sections that have the options of an
 * earlier one (namespaces, hooks) refer to it.
 */
class Reference {
  readonly #lines: string[] = [];
  readonly #written: WrittenSection[] = [];

  get lines(): readonly string[] {
    return this.#lines;
  }

  section(node: SectionNode, path: Path, isInVariable = true): void {
    const entries = Object.entries(node.children);
    const options = entries.flatMap(([name, child]) =>
      child.type === 'option' ? [{ path: [...path, name], child }] : [],
    );
    const twin = this.#twinOf(entries.map(([, child]) => child));
    if (path.length > 0) {
      this.#lines.push(`### \`${keyOf(path)}\``, '', node.description, '');
    }
    if (path.at(-1) === 0) this.#listNote(path, node);
    const own = options.filter(({ child }) => twin === undefined || !twin.names.has(child));
    if (own.length > 0) {
      this.#lines.push('| option | default | variable | meaning |', '| --- | --- | --- | --- |');
      for (const { path: optionPath, child } of own) {
        this.#lines.push(row(optionPath, child, isInVariable));
      }
      this.#lines.push('');
    }
    if (twin !== undefined) {
      this.#twinNote(twin, { node, path, hasOwn: own.length > 0 });
      return;
    }
    this.#written.push({
      key: keyOf(path),
      names: new Map(entries.map(([name, child]) => [child, name])),
    });
    for (const [name, child] of entries) {
      if (child.type === 'section') this.section(child, [...path, name], isInVariable);
      if (child.type === 'list')
        this.section(child.element, [...path, name, 0], isInVariable && child.named);
    }
  }

  #listNote(path: Path, node: SectionNode): void {
    const list = path.slice(0, -1);
    const asWhole = `A list; as a whole in JSON: \`${envName(list)}\`.`;
    const each =
      'name' in node.children
        ? ' In variables of single options, `<NAME>` is the name in capitals with `_` for `.` and `-`.'
        : '';
    this.#lines.push(asWhole + each, '');
  }

  #twinNote(
    twin: WrittenSection,
    {
      node,
      path,
      hasOwn,
    }: { readonly node: SectionNode; readonly path: Path; readonly hasOwn: boolean },
  ): void {
    const missing = [...twin.names.values()].filter((name) => !Object.hasOwn(node.children, name));
    const idle = Object.entries(node.children).flatMap(([name, child]) =>
      twin.names.has(child) && notYetReason([...path, name]) !== undefined ? [`\`${name}\``] : [],
    );
    const without =
      missing.length === 0 ? '' : `, without ${missing.map((name) => `\`${name}\``).join(', ')}`;
    this.#lines.push(
      `${hasOwn ? 'And the' : 'The'} options of \`${twin.key}\`${without}. Variables begin with \`${envName(path)}_\`.`,
      ...(idle.length === 0 ? [] : [`No effect yet: ${idle.join(', ')}.`]),
      '',
    );
  }

  /** The section that this one shares its options with. */
  #twinOf(children: readonly ConfigNode[]): WrittenSection | undefined {
    return this.#written.find(
      ({ names }) => children.filter((child) => names.has(child)).length > 2,
    );
  }
}

/** The whole page `docs/configuration.md`. */
export function configurationReference(): string {
  const reference = new Reference();
  reference.section(configTree, []);
  return [
    introduction.trim(),
    '',
    '## A start without configuration',
    '',
    firstStart.trim(),
    '',
    '```yaml',
    formatData(firstStartProfile, 'yaml').trim(),
    '```',
    '',
    '## All options',
    '',
    ...reference.lines,
    '## Options of Centrifugo that have no effect',
    '',
    'They are known, cause a warning, and never stop the server.',
    '',
    ...unsupportedKeys().map(
      ({ keys, why }) => `- ${keys.map((key) => `\`${key}\``).join(', ')}: ${why}.`,
    ),
    '',
  ].join('\n');
}

const introduction = `
<!-- Made from the schema by \`npm run docs\`. Do not edit. -->

# Configuration

Options have the names and the meaning that they have in Centrifugo 6, so that a configuration of
Centrifugo works as it is. Where a default differs, it says so below; options that only Holdfast has
are marked.

## Where values come from

Later sources win, option by option; lists are replaced as a whole.

1. The defaults below.
2. One file: the one named with \`--config\` (or \`HOLDFAST_CONFIG\`), otherwise \`config.json\`,
   \`config.yaml\`, \`config.yml\` or \`config.toml\` in the working directory.
3. A file \`.env\` in the working directory.
4. Environment variables.
5. Flags: \`--port\`, \`--address\`, \`--log-level\`, \`--data-dir\`, \`--admin\`, and \`--set KEY=VALUE\` for
   every option, such as \`--set client.ping_interval=30s\` or
   \`--set 'channel.namespaces[chat].history_size=10'\`.

The environment variable of an option is its key in capitals with \`_\` for \`.\`, after \`HOLDFAST_\`.
Lists of texts are separated by spaces or written in JSON, lists of sections and objects in JSON. An
empty variable counts as not set. Variables that begin with \`CENTRIFUGO_\` are honoured too;
\`HOLDFAST_\` wins.

Durations are written with their unit (\`500ms\`, \`25s\`, \`1m30s\`, \`720h\`), sizes in bytes. A bare
number is no duration: Centrifugo reads it as nanoseconds, people mean seconds.

A key that does not exist is warned about and has no effect. A value that cannot work is refused: the
server names every such option with the reason, and does not start. These commands show what applies:

| command | |
| --- | --- |
| \`holdfast config check [FILE]\` | everything that is wrong, and what to do about it |
| \`holdfast config print\` | every effective value; secrets masked unless \`--show-secrets\` |
| \`holdfast config explain [KEY]\` | value, where it came from, default, variable and meaning |
| \`holdfast config generate\` | a commented file to begin with, with fresh secrets |

## Changing it while the server runs

On \`SIGHUP\` (\`systemctl reload holdfast\`, \`kill -HUP\`) the server reads its files again and takes over
what needs no restart, all at once; connections and subscriptions stay:

- \`channel.without_namespace\` and \`channel.namespaces\`: new namespaces, others of their options, and
  namespaces that are gone. Subscriptions keep the rules under which they were made. A namespace waits
  for a restart, with all its options, when its \`subscription_type\`, \`map.mode\` or \`history_durable\`
  changes, or which hooks it asks;
- \`client.token\` and \`client.subscription_token\`: other keys and claims, but not the first ones or none.
  Whoever is connected stays so until the token expires;
- \`client.allowed_origins\`, \`client.connection_limit\`, \`client.connection_rate_limit\` and
  \`client.user_connection_limit\`, for those who come;
- certificates and their keys, \`http_server.tls\` and \`internal_tls\`: the files are read again, also
  under the same names, for the connections that come;
- \`log.level\`.

Everything else waits for a restart; one line of the log names it: \`needs a restart: http_server.port\`.
A configuration that cannot work changes nothing, and the log says why. Flags and environment variables
are those of the start.

## Secrets and the data folder

Secrets that the server needs and nobody configured (the secret that signs tokens, the API key, the
secret of admin sessions) are made at the first start and kept in \`secrets.json\` in the data folder,
readable for its owner only. Configured secrets win. The store is there too (\`holdfast.db\`), unless
\`store.url\` says otherwise. A server whose secrets are all configured, and whose store is PostgreSQL or
off, writes no data folder. Several nodes that serve the same clients need the same secrets: configure them.

No output shows a secret, except \`holdfast config print --show-secrets\` and
\`holdfast config generate\`.
`;

const firstStart = `
When no file is read and nothing is set but where and how the process runs (\`http_server\` addresses and
ports, \`data_dir\`, \`log\`, \`node\`, \`shutdown\`, \`pid_file\`), and the address is this machine's own,
these values apply in place of the defaults. The admin page opens with a link that is printed once; all
other clients need a token (\`holdfast token create\`). As soon as anything else is configured, none of
this applies.
`;
