import { openGrid } from 'gossipgrid'

interface Reading {
  readonly celsius: number
}

const sensor = await openGrid({ name: 'weather' })
const display = await openGrid({ name: 'weather', join: sensor.addresses })

const readings = sensor.topic<Reading>('readings')
const timer = setInterval(() => void readings.publish({ celsius: 20 + Math.random() }), 100)

let shown = 0
for await (const message of display.topic<Reading>('readings').messages()) {
  if (message.type === 'lagged') continue
  console.log(`${message.value.celsius.toFixed(1)} °C`)
  if (++shown === 3) break
}

clearInterval(timer)
await display.close()
await sensor.close()
