import { BlockList, isIP } from 'node:net';

const notPublic4 = new BlockList();
/** IPv4 special-purpose ranges (IANA registry, RFC 6890), multicast and reserved. */
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const) {
  notPublic4.addSubnet(network, bits, 'ipv4');
}

/** IPv6 is the other way round: only this block is assigned for the public Internet … */
const assigned6 = new BlockList();
assigned6.addSubnet('2000::', 3, 'ipv6');

const notPublic6 = new BlockList();
/** … and parts of it are special or lead back into IPv4 (Teredo, documentation, 6to4). */
for (const [network, bits] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const) {
  notPublic6.addSubnet(network, bits, 'ipv6');
}

/** Whether an IP address belongs to the public Internet; false for anything that is no address. */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !notPublic4.check(address, 'ipv4');
    case 6:
      return assigned6.check(address, 'ipv6') && !notPublic6.check(address, 'ipv6');
    default:
      return false;
  }
}
