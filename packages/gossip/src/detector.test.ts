import { describe, expect, test } from 'vitest'
import { a, b, c, d, Stepped } from './libp2p/stepped.ts'

describe('silence', () => {
  /** Of three that were met, the first two go on speaking. */
  const listening = (duration: number) => {
    const member = new Stepped(a).meet(1, b).meet(2, c).meet(3, d)
    const sent = []
    for (let passed = 0; passed < duration; passed += 200) {
      sent.push(...member.sent(member.wait(200)), ...member.frame(1, {}).sent(), ...member.frame(2, {}).sent())
    }
    return { member, questions: sent.flatMap(({ frame }) => frame.questions ?? []) }
  }

  test('on one link is asked about, and nobody is accused before another confirms it', () => {
    const { member, questions } = listening(1400)
    expect(questions.map(({ subject }) => subject)).toContain(d.peer)
    expect(member.state.view.get(d.peer)?.accusations.size).toBe(0)
    member.frame(1, { answers: [{ nonce: questions.at(-1)!.nonce, age: 1400 }] })
    expect([...member.state.view.get(d.peer)!.accusations.keys()]).toEqual([a.peer])
  })

  test('that another does not confirm accuses nobody, and its word is not passed on as ours', () => {
    const { member, questions } = listening(1400)
    member.frame(1, { answers: [{ nonce: questions.at(-1)!.nonce, age: 10 }] })
    expect(member.state.view.get(d.peer)?.accusations.size).toBe(0)
    const [answer] = member.frame(2, { questions: [{ nonce: 77, subject: d.peer }] }).sent()
    // The link is closed and not dialled again yet: we can tell nothing.
    expect(answer?.frame.answers?.[0]).toEqual({ nonce: 77, age: undefined })
  })

  test('after a link was closed is no testimony before a dial was answered or not: that is how a daemon stops', () => {
    const { member } = listening(0)
    member.take({ kind: 'unlinked', link: 3 })
    for (let passed = 0; passed < 3000; passed += 200) {
      expect(member.sent(member.wait(200)).flatMap(({ frame }) => frame.questions ?? [])).toEqual([])
      member.frame(1, {}).frame(2, {})
    }
    const [answer] = member.frame(2, { questions: [{ nonce: 78, subject: d.peer }] }).sent()
    expect(answer?.frame.answers?.[0]).toEqual({ nonce: 78, age: undefined })
    member.take({ kind: 'undialled', target: d.peer, failure: 'refused' })
    expect(member.state.standings.get(d.peer)?.state).toBe('restarting')
  })

  test('after a dial that nothing answered is asked about', () => {
    const { member } = listening(0)
    member.take({ kind: 'unlinked', link: 3 }).take({ kind: 'undialled', target: d.peer, failure: 'unanswered' })
    const questions = []
    for (let passed = 0; passed < 1600; passed += 200) {
      questions.push(...member.sent(member.wait(200)).flatMap(({ frame }) => frame.questions ?? []))
      member.frame(1, {}).frame(2, {})
    }
    expect(questions.map(({ subject }) => subject)).toContain(d.peer)
  })

  test('of one that stood still and went on is asked about later the next time, for ten minutes', () => {
    /** After how long of its silence the third is asked about, when it was silent for so long before and came back. */
    const patience = (still: number, ago: number, ours = 0) => {
      const member = new Stepped(a).meet(1, b).meet(2, c).meet(3, d)
      const ask = (duration: number, also: readonly number[]) => {
        const from = member.now
        while (member.now - from < duration) {
          const sent = [1, 2, ...also].flatMap((link) => member.frame(link, {}).sent()).concat(member.sent(member.wait(50)))
          if (sent.some(({ frame }) => frame.questions?.some(({ subject }) => subject === d.peer) === true)) return member.now - from
        }
        return Infinity
      }
      ask(100, [3])
      ask(still, [])
      ask(ago, [3])
      member.take({ kind: 'tick' }, ours)
      ask(100, [3])
      return ask(4000, [])
    }
    const tenths = [patience(200, 1000), patience(1000, 1000), patience(1000, 500_000), patience(1000, 601_000), patience(1000, 1000, 5000)]
    expect(tenths.map((time) => Math.floor(time / 100))).toEqual([13, 15, 15, 13, 15])
  })

  test('of everybody while we ourselves stood still is not theirs', () => {
    const member = new Stepped(a).meet(1, b).meet(2, c).take({ kind: 'tick' }, 5000)
    expect(member.sent().flatMap(({ frame }) => frame.questions)).toEqual([])
    expect([member.state.exchanged, member.state.aloneUntil]).toEqual([false, member.now])
  })

  test('of those who are heard last when we go on, having stood still, is not theirs either', () => {
    const { member } = listening(0)
    member.now += 5000
    const sent = [...member.frame(1, {}).sent(), ...member.sent(member.wait(200)), ...member.frame(2, {}).sent()]
    expect(sent.flatMap(({ frame }) => frame.questions ?? [])).toEqual([])
  })
})
