import { flag, section, sectionList, text } from '../option.ts';
import { defaultProxy } from './proxy.ts';

const rpcShape = {
  proxy_enabled: flag(false, 'Calls are answered by the backend.'),
  proxy_name: text('default', 'Hook that answers.'),
};

export const rpc = section('Calls of clients (RPC).', {
  proxy: defaultProxy('calls'),
  without_namespace: section('Methods whose name has no namespace.', rpcShape),
  namespaces: sectionList('Namespaces of methods: `billing:pay` is a method of `billing`.', {
    name: text(
      '',
      'Name of the namespace: two characters or more, letters, digits, "_", "." and "-".',
    ),
    ...rpcShape,
  }),
  ping: section('A method that answers by itself, to measure round trips.', {
    enabled: flag(false, 'Answer the method.'),
    method: text('ping', 'Name of the method.'),
  }),
  namespace_boundary: text(':', "Ends the namespace in a method's name."),
});
