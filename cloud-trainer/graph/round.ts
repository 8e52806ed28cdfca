/** To the nearest whole number; half-way cases go to the even one (IEEE 754 roundTiesToEven). */
export const roundHalfEven = (x: number): number => {
  const below = Math.floor(x)
  if (x - below !== 0.5) return Math.round(x)
  return below % 2 === 0 ? below : below + 1
}
