/**
 * Asynchronous work behind a queue that has an end. RxJS' own flattening operators keep waiting values in an
 * array without one; here the overflow rule decides what is lost, and every loss is reported.
 */
import { from, Observable, type ObservableInput, type OperatorFunction, type Subscription } from 'rxjs'

export type BoundedBufferOptions<T> = {
  /** Values that may wait while one is worked on; a positive integer. */
  readonly capacity: number
  /** What a full buffer gives up: its oldest value, or the one that comes. */
  readonly overflow: 'drop-oldest' | 'drop-newest'
  /** Called for each value lost, with the count so far. */
  readonly onDrop?: (value: T, droppedCount: number) => void
}

/** `concatMap` with a bound: one `project` at a time, in order; values that don't fit are dropped and counted. */
export const boundedBuffer =
  <T, R>(options: BoundedBufferOptions<T>, project: (value: T) => ObservableInput<R>): OperatorFunction<T, R> =>
  (source$) =>
    new Observable<R>((subscriber) => {
      const { capacity, overflow, onDrop } = options
      const waiting: T[] = []
      let droppedCount = 0
      let isBusy = false
      let isEnded = false
      let working: Subscription | undefined

      const work = (): void => {
        // A loop, not a recursion: synchronous work on a long queue must not grow the stack.
        while (!isBusy && waiting.length > 0 && !subscriber.closed) start(waiting.shift() as T)
        if (!isBusy && isEnded) subscriber.complete()
      }
      const start = (value: T): void => {
        isBusy = true
        let isStarting = true
        const done = (): void => {
          isBusy = false
          if (!isStarting) work()
        }
        try {
          working = from(project(value)).subscribe({
            next: (result) => subscriber.next(result),
            error: (cause) => subscriber.error(cause),
            complete: done,
          })
        } catch (cause) {
          subscriber.error(cause)
        }
        isStarting = false
      }
      const offer = (value: T): void => {
        const isFull = isBusy && waiting.length >= capacity
        if (isFull) onDrop?.(overflow === 'drop-newest' ? value : (waiting.shift() as T), ++droppedCount)
        if (isFull && overflow === 'drop-newest') return
        waiting.push(value)
        work()
      }

      const source = source$.subscribe({
        next: offer,
        error: (cause) => subscriber.error(cause),
        complete: () => {
          isEnded = true
          work()
        },
      })
      return () => {
        source.unsubscribe()
        working?.unsubscribe()
        waiting.length = 0
      }
    })
