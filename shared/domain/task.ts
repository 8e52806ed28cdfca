/**
 * How the labels of an observation stand to one another. `multi-label`: each is present or absent for itself.
 * `single-label`: exactly one is present (the class), so probabilities sum to 1.
 */
export type Task = 'multi-label' | 'single-label'

/** What carries no task is older than the choice, or multi-label like most things. */
export const taskOf = ({ task }: { readonly task?: Task | undefined }): Task => task ?? 'multi-label'
