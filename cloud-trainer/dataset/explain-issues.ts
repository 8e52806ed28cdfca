/** What is wrong with a description, in words: of the forms that a thing may have, the one that it comes nearest to. */
import { z } from 'zod'

type Issue = z.core.$ZodIssue

export const explainIssues = (error: z.ZodError): string => z.prettifyError({ issues: nearest(error.issues) })

const nearest = (issues: readonly Issue[]): Issue[] =>
  issues.flatMap((issue) => {
    if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [issue]
    const forms = issue.errors.map((form) => nearest(form))
    const best = forms.reduce((a, b) => (distance(b) < distance(a) ? b : a))
    return best.map((it) => ({ ...it, path: [...issue.path, ...it.path] }))
  })

/** Another `kind`, or no object at all, is far away. */
const distance = (issues: readonly Issue[]): number =>
  issues.reduce((sum, { path, code }) => {
    if (path[0] === 'kind') return sum + 100
    if (path.length === 0 && code === 'invalid_type') return sum + 10
    return sum + (code === 'unrecognized_keys' ? 2 : 1)
  }, 0)
