import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { DeploymentId, ModelVersion, ReadingId } from '#shared/domain/ids.ts'
import { openDatabase } from '#shared/platform/sqlite.ts'
import { openObservationTable } from './observations.ts'
import { openPredictionTable } from './predictions.ts'
import { OBSERVING_SCHEMA_SQL } from './schema.ts'
import { eventsDue, openTellingTable } from './telling.ts'

test('what is due follows from what is so and what was told', () => {
  const check = (changes: object, expected: readonly string[]) =>
    expect(
      eventsDue({
        revision: 2,
        final: false,
        isPredicted: true,
        toldRevision: 0,
        wasToldPredicted: false,
        toldEnd: 0,
        ...changes,
      }),
    ).toEqual(expected)
  check({}, ['new'])
  check({ final: true }, ['new', 'end'])
  check({ toldRevision: 1, wasToldPredicted: true }, ['update'])
  check({ toldRevision: 2, wasToldPredicted: true }, [])
  check({ toldRevision: 2, wasToldPredicted: true, final: true }, ['end'])
  check({ toldRevision: 2, wasToldPredicted: true, final: true, toldEnd: 2 }, [])
  check({ toldRevision: 1, wasToldPredicted: true, final: true, toldEnd: 1 }, ['update', 'end'])
  check({ toldRevision: 2, wasToldPredicted: false, final: true, toldEnd: 2 }, ['update'])
  check({ toldRevision: 2, wasToldPredicted: false, isPredicted: false }, [])
})

type Step = 'reading' | 'late' | 'end' | 'predict' | 'tell' | 'crash-while-telling'
const step = fc.constantFrom<Step>('reading', 'late', 'end', 'predict', 'tell', 'crash-while-telling')

test('in any history each observation is told as new first, with rising revisions, and at last as it is', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.boolean(), (steps, hasModel) => {
      const database = openDatabase(':memory:', [OBSERVING_SCHEMA_SQL])
      const observations = openObservationTable(database, { ms: 100, allowedLatenessMs: 0, time: 'wall' })
      const predictions = openPredictionTable(database)
      const telling = openTellingTable(database)
      const told: { readonly rev: number; readonly type: string; readonly isPredicted: boolean }[] = []
      let number = 0
      const join = (nowMs: number) =>
        observations.join(
          [{ number: ++number, id: `r${number}` as ReadingId, deployment: 'a' as DeploymentId, observedAtMs: 5 }],
          nowMs,
        )
      const tell = (isMarked: boolean) => {
        const untold = telling.untold(10, !hasModel)
        for (const it of untold) {
          for (const type of eventsDue(it)) told.push({ rev: it.revision, type, isPredicted: it.isPredicted })
        }
        if (isMarked) telling.markTold(untold)
      }
      const predict = () => {
        for (const waiting of predictions.waiting(10)) {
          predictions.insert(waiting, {
            observation: waiting.id,
            revision: waiting.revision,
            model: 'valley@000000000000' as ModelVersion,
            labels: [],
            probabilities: [],
            evidence: {},
            predictedAtMs: number,
          })
        }
      }
      let isFinal = false
      for (const it of steps) {
        if (it === 'reading' && !isFinal) join(0)
        else if (it === 'late' && isFinal) join(1000)
        else if (it === 'end' && number > 0) {
          observations.endPassed(1000, 10)
          isFinal = true
        } else if (it === 'predict' && hasModel) predict()
        else if (it === 'tell') tell(true)
        else if (it === 'crash-while-telling') tell(false)
      }
      if (hasModel) predict()
      tell(true)
      expect(telling.untold(10, !hasModel)).toEqual([])
      if (number > 0) {
        expect(told[0]!.type).toBe('new')
        expect(told.map(({ rev }) => rev)).toEqual(told.map(({ rev }) => rev).sort((a, b) => a - b))
        expect(told.at(-1)).toMatchObject({ rev: number, isPredicted: hasModel })
        expect(told.some(({ type, rev }) => type === 'end' && rev === number)).toBe(isFinal)
      } else expect(told).toEqual([])
      database.close()
    }),
    { numRuns: 200 },
  )
})
