import type { Report } from '../report.ts';
import type { Config } from '../schema.ts';

/** Combinations of `client.*` that cannot work. */
export function checkClient({ client, channel }: Config, report: Report): void {
  const { ping_interval: ping, pong_timeout: pong } = client;
  if (ping.ms > 0 && pong.ms > 0 && ping.ms <= pong.ms) {
    report.problem(['client', 'ping_interval'], {
      problem: `is ${ping.toString()}, not longer than client.pong_timeout (${pong.toString()})`,
      reason: 'the next ping would go out before the answer to the last one is overdue',
      remedy: 'Make client.ping_interval longer or client.pong_timeout shorter.',
    });
  }
  const { presence_ttl: presenceTtl, presence_update_interval: presenceInterval } = client;
  if (presenceTtl.ms > 0 && presenceTtl.ms <= presenceInterval.ms) {
    report.problem(['client', 'presence_ttl'], {
      problem: `is ${presenceTtl.toString()}, not longer than client.presence_update_interval (${presenceInterval.toString()})`,
      reason: 'presence entries would vanish before they are refreshed',
      remedy: 'Remove it, or make it about twice client.presence_update_interval.',
    });
  }
  if (client.stale_close_delay.ms === 0) {
    report.problem(['client', 'stale_close_delay'], {
      problem: 'is 0s',
      reason:
        'connections that never authenticate would be kept for ever, or none could authenticate',
      remedy: 'Set a time such as "10s".',
    });
  }
  checkPersonalChannel({ client, channel }, report);
  client.connect_code_to_unidirectional_disconnect.transforms.forEach(({ code, to }, index) => {
    const path = ['client', 'connect_code_to_unidirectional_disconnect', 'transforms', index];
    if (code !== 0 && to.code !== 0) return;
    report.problem(code === 0 ? [...path, 'code'] : [...path, 'to', 'code'], {
      problem: 'is missing',
      reason: 'a replacement needs the error code and the disconnect code it becomes',
      remedy: 'Set it, or remove the entry.',
    });
  });
}

function checkPersonalChannel(
  { client, channel }: Pick<Config, 'client' | 'channel'>,
  report: Report,
): void {
  const personal = client.subscribe_to_user_personal_channel;
  if (!personal.enabled) return;
  const path = ['client', 'subscribe_to_user_personal_channel'];
  const name = personal.personal_channel_namespace;
  const namespace =
    name === ''
      ? channel.without_namespace
      : channel.namespaces.find((known) => known.name === name);
  if (namespace === undefined) {
    report.problem([...path, 'personal_channel_namespace'], {
      problem: `is ${JSON.stringify(name)}, which is not one of channel.namespaces`,
      reason: 'users could not be subscribed to their personal channels',
      remedy: 'Add the namespace, or leave the option empty for channels without namespace.',
    });
  } else if (personal.single_connection && !namespace.presence) {
    report.problem([...path, 'single_connection'], {
      problem: `is on, but ${name === '' ? 'channel.without_namespace' : `channel.namespaces[${name}]`}.presence is off`,
      reason: 'older connections of a user are found by presence',
      remedy: 'Turn presence on there.',
    });
  }
}
