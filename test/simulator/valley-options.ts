/** Spring begins: 1 April 2025, 00:00 UTC. Any whole hour would do. */
export const DEFAULT_START_MS = Date.UTC(2025, 3, 1)
