--- bytes: contents that the corpus shares.
local bytes = {}

local all = {}
for i = 0, 255 do all[i + 1] = string.char(i) end

--- Every value of an octet, once.
bytes.EVERY = table.concat(all)

bytes.PDF = "%PDF-1.7\n" .. bytes.EVERY:rep(50) .. "\n%%EOF\n"
bytes.PNG = "\137PNG\r\n\26\n" .. bytes.EVERY:rep(3)

--- An iCalendar object.
---@param method string|nil
---@param lines string what is inside
---@param ending? string of a line
---@return string
function bytes.calendar(method, lines, ending)
  local object = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//example//EN\n"
    .. (method and "METHOD:" .. method .. "\n" or "")
    .. "BEGIN:VEVENT\nUID:1@example.com\nDTSTAMP:20251122T010000Z\nDTSTART:20251201T090000Z\n" .. lines
    .. "END:VEVENT\nEND:VCALENDAR\n"
  return (object:gsub("\n", ending or "\r\n"))
end

return bytes
