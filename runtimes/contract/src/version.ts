/**
 * The version of the contract that this code speaks. Hosts of N−1 work with an operator of N, and the other way round
 * (D4): a field may be added and must be ignored by who does not know it; anything else is a new version.
 */
export const CONTRACT_VERSION = 1;
export const OLDEST_SPOKEN_VERSION = 1;

/** Can a frame of this version be understood? An absent version is none of ours. */
export const isSpoken = (version: number): boolean =>
  Number.isInteger(version) && version >= OLDEST_SPOKEN_VERSION && version <= CONTRACT_VERSION + 1;
