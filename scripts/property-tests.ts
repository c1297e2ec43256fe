import { configureGlobal } from 'fast-check';

/** Where property tests begin. `npm run explore` gives another one to each of its rounds. */
const seed = Number(process.env['PROPERTY_SEED'] ?? 1);

configureGlobal({
  // One tree, one verdict: a red run speaks of the change, and comes back when it is run again.
  seed,
  // What a property test says of lengths and depths is what it tries. Left to itself, fast-check ends
  // arrays at about ten items whatever their `maxLength`, and long sequences of steps are never run.
  defaultSizeToMaxWhenMaxSpecified: true,
});
