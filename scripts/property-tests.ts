import { configureGlobal } from 'fast-check';

// What a property test says of lengths and depths is what it tries. Left to itself, fast-check ends
// arrays at about ten items whatever their `maxLength`, and long sequences of steps are never run.
configureGlobal({ defaultSizeToMaxWhenMaxSpecified: true });
