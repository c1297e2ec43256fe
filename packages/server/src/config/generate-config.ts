import { Document, isMap, isPair, isScalar, visit } from 'yaml';
import type { ConfigNode } from './option.ts';
import { nodeAt, type OptionPath } from './option-path.ts';
import { formatData, type ConfigFormat } from './print-config.ts';
import { configTree } from './schema.ts';
import { randomSecret } from './secrets-file.ts';

/** A configuration to begin with: safe, useful, and small enough to be read. */
function startingSections(): Record<string, unknown> {
  return {
    http_server: { address: 'localhost', port: 8000 },
    client: {
      allowed_origins: ['http://localhost:3000'],
      token: { hmac_secret_key: randomSecret() },
    },
    http_api: { key: randomSecret() },
    admin: { enabled: true, password: randomSecret(), secret: randomSecret() },
    health: { enabled: true },
    prometheus: { enabled: true },
    channel: {
      without_namespace: { allow_subscribe_for_client: true },
      namespaces: [
        {
          name: 'chat',
          presence: true,
          join_leave: true,
          history_size: 100,
          history_ttl: '5m',
          force_recovery: true,
          allow_subscribe_for_client: true,
          allow_publish_for_subscriber: true,
          allow_presence_for_subscriber: true,
          allow_history_for_subscriber: true,
        },
      ],
    },
  };
}

const head = [
  'Configuration of Holdfast. Keep this file private: it holds secrets.',
  'All options: docs/configuration.md, or: holdfast config explain',
];

/** Makes the text of a configuration file with fresh secrets, commented where the format allows it. */
export function generateConfig(format: ConfigFormat): string {
  const sections = startingSections();
  switch (format) {
    case 'json':
      return formatData(sections, 'json');
    case 'yaml':
      return commentedYaml(sections);
    case 'toml':
      return commentedToml(sections);
    default:
      return format satisfies never;
  }
}

function comment(path: OptionPath): string {
  const node: ConfigNode | undefined = nodeAt(configTree, path);
  return node?.description.replaceAll('`', '') ?? '';
}

function commentedYaml(sections: object): string {
  const document = new Document(sections);
  document.commentBefore = head.map((line) => ` ${line}`).join('\n');
  visit(document, {
    Pair(position, pair, ancestors) {
      const path: (string | number)[] = [];
      ancestors.forEach((ancestor, index) => {
        const next = [...ancestors, pair][index + 1];
        if (isPair(ancestor) && isScalar(ancestor.key)) path.push(String(ancestor.key.value));
        else if (!isMap(ancestor) && next !== undefined && !isPair(ancestor) && index > 0)
          path.push(0);
      });
      if (!isScalar(pair.key)) return;
      pair.key.commentBefore = ` ${comment([...path, String(pair.key.value)])}`;
      if (path.length === 0 && position !== 0) pair.key.spaceBefore = true;
    },
  });
  return document.toString({ lineWidth: 0 });
}

function commentedToml(sections: Readonly<Record<string, unknown>>): string {
  const lines = head.map((line) => `# ${line}`);
  writeTable(sections, []);
  return `${lines.join('\n')}\n`;

  function writeTable(table: Readonly<Record<string, unknown>>, path: OptionPath): void {
    const shown = path.filter((step) => typeof step === 'string').join('.');
    const entries = Object.entries(table);
    const values = entries.filter(([, value]) => !isTable(value) && !isTableList(value));
    if (path.length > 0 && values.length > 0) {
      lines.push('', `# ${comment(path)}`);
      lines.push(typeof path.at(-1) === 'number' ? `[[${shown}]]` : `[${shown}]`);
    }
    for (const [key, value] of values) {
      // Texts, numbers, booleans and lists of texts are written in TOML as in JSON.
      lines.push(`# ${comment([...path, key])}`, `${key} = ${JSON.stringify(value)}`);
    }
    for (const [key, value] of entries) {
      if (isTable(value)) writeTable(value, [...path, key]);
      if (isTableList(value)) {
        value.forEach((element, index) => writeTable(element, [...path, key, index]));
      }
    }
  }
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTableList(value: unknown): value is readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) && value.length > 0 && value.every(isTable);
}
