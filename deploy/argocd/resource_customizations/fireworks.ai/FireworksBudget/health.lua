-- The status follows kstatus: the condition Ready, the abnormal-true conditions Reconciling and Stalled, and
-- observedGeneration in the status and in each condition. Scaled to zero and parked are Healthy, not Suspended, because a
-- sync wave would wait for ever. A resource that is being deleted is Progressing, whatever this script returns.
local health = {}
health.status = "Progressing"
health.message = "Waiting for the operator"

if obj.status == nil or obj.status.conditions == nil then
  return health
end
if obj.status.observedGeneration ~= obj.metadata.generation then
  health.message = "Waiting for the operator to see the change"
  return health
end

local conditions = {}
for _, condition in ipairs(obj.status.conditions) do
  conditions[condition.type] = condition
end
local function is_true(kind)
  return conditions[kind] ~= nil and conditions[kind].status == "True"
end

if is_true("Reconciling") then
  health.message = conditions["Reconciling"].message
elseif is_true("Stalled") then
  health.status = "Degraded"
  health.message = conditions["Stalled"].message
elseif is_true("Ready") then
  health.status = "Healthy"
  health.message = conditions["Ready"].message
elseif conditions["Ready"] ~= nil then
  health.message = conditions["Ready"].message
end
return health
