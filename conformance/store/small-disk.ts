/**
 * The command that runs another one where `folder` is a disk of its own of this size, which no other
 * process sees and which ends with it. For the file system the command is root outside, whoever that is;
 * for itself it is an ordinary user, which PostgreSQL insists on. Fails, saying so, where the system lets
 * no user make such a place.
 */
export function onSmallDisk(folder: string, megabytes: number): readonly string[] {
  const mount = `mount -t tmpfs -o size=${megabytes}m tmpfs "$0"`;
  const ordinary = 'unshare --user --map-user=65534 --map-group=65534';
  const asRoot = ['unshare', '--user', '--map-root-user', '--mount'];
  return [...asRoot, 'sh', '-c', `${mount} && exec ${ordinary} "$@"`, folder];
}
