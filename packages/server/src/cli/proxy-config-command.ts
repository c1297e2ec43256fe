import { Argument, InvalidArgumentError, type Command } from 'commander';
import { proxyConfig, proxyNames, type ProxyName } from '../proxies/proxy-config.ts';
import { proxySettings } from '../proxies/proxy-settings.ts';
import { withConfig, type Finish } from './config-command.ts';
import { addConfigOptions } from './config-options.ts';
import { exitCodes, type Terminal } from './terminal.ts';

/** What `holdfast proxy-config` takes and does. */
export function defineProxyConfigCommand(
  command: Command,
  terminal: Terminal,
  finish: Finish,
): void {
  command
    .description(
      'Prints a configuration with which a proxy lets clients through, made for the effective settings: paths, ports, limits, and idle times that follow from the pings.',
    )
    .addArgument(new Argument('<proxy>', 'software of the proxy').choices(proxyNames))
    .option('--host <name>', 'name under which clients know the service', asHostName)
    .action((proxy: ProxyName) => {
      const { host } = command.opts<{ readonly host?: string }>();
      withConfig(command, { terminal, finish }, ({ config }) => {
        const settings = proxySettings(config, { ...(host !== undefined && { publicHost: host }) });
        terminal.out(proxyConfig(proxy, settings).trimEnd());
        return exitCodes.ok;
      });
    });
  addConfigOptions(command);
}

function asHostName(text: string): string {
  if (/^[\w.-]{1,253}$/.test(text)) return text;
  throw new InvalidArgumentError('It must be a host name, such as rt.example.com.');
}
